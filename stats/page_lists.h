/* The lists of the page, one function each; every one writes a whole section. */
#ifndef WEIR_STATS_PAGE_LISTS_H
#define WEIR_STATS_PAGE_LISTS_H

#include "stats/page_link.h"

/* page_owners.c */
void page_hosts(const struct page *page);
void page_users(const struct page *page);

/* page_others.c */
void page_classes(const struct page *page);
void page_clients(const struct page *page);
void page_blocks(const struct page *page);
void page_origins(const struct page *page);

/* page_server.c: what stands above and below the lists. */
void page_headline(const struct page *page); /* are all within their limits? */
void page_figures(const struct page *page);  /* the server in a few numbers, and its last hour */
void page_internals(const struct page *page);

#endif
