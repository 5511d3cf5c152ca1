/* The XML of mod_cband 0.9.7.5, element for element, for the scrapers that exist: ?xml=classic, or ?xml with
 * CBandStatusXML classic. ISO 8859-1; each host, user and class is an element of its own name.
 *
 * Unlike the original's it is always well-formed: a name that is no XML name is made one ('_' before what cannot begin
 * one, other characters replaced by '_'), texts are escaped. A limit is in KB or KiB as it was written, rounded up; a
 * speed under 1 kbps is 1; current kbps and rps are means of the last 10 s. */
#ifndef WEIR_STATS_XML_CLASSIC_H
#define WEIR_STATS_XML_CLASSIC_H

#include "stats/render.h"

stats_renderer stats_xml_classic;

#endif
