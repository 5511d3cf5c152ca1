/* stats/page/style.css and stats/page/script.js as texts; written by stats/page/embed.cmake when weir is built. */
#ifndef WEIR_STATS_PAGE_ASSETS_H
#define WEIR_STATS_PAGE_ASSETS_H

extern const char page_style[];  /* the whole content of <style> */
extern const char page_script[]; /* the whole content of <script> */

#endif
