/* weir's own XML document: SetHandler cband-status with ?xml, ControlSocket, weirctl status --xml. UTF-8, no namespace;
 * the element names are mod_cband's where it had them. What each element is stands in stats/weir-status.xsd, which is
 * installed and which every document is valid against. */
#ifndef WEIR_STATS_XML_H
#define WEIR_STATS_XML_H

#include "stats/render.h"

stats_renderer stats_xml;

#endif
