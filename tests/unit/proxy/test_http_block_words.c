/* The tests of blocks over words, which a machine with SSE2 does not use. */
#define HTTP_BLOCK_IN_WORDS 1
#include "tests/unit/proxy/test_http_block.c"
