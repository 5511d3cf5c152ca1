/* Where in the configuration files something was said. A plain value, any thread. */
#ifndef WEIR_CONFIG_PLACE_H
#define WEIR_CONFIG_PLACE_H

struct place {
    const char *file;
    unsigned line; /* from 1; 0: a default, never said */
};

#endif
