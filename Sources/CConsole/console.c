#include "console.h"

#if !__has_embed("console.html") || !__has_embed("openapi.json")
#error "console.html and openapi.json belong beside console.c"
#endif

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wc23-extensions"
static const unsigned char console_page[] = {
#embed "console.html"
};
static const unsigned char openapi[] = {
#embed "openapi.json"
};
#pragma clang diagnostic pop

const void *ip_console_page(void) { return console_page; }
size_t ip_console_page_bytes(void) { return sizeof(console_page); }

const void *ip_openapi(void) { return openapi; }
size_t ip_openapi_bytes(void) { return sizeof(openapi); }
