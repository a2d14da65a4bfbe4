// Pages that ControlAPI serves, compiled in from the files beside this folder.
#pragma once

#include <stddef.h>

/// console.html, and how many bytes it has.
const void *ip_console_page(void);
size_t ip_console_page_bytes(void);

/// openapi.json, and how many bytes it has.
const void *ip_openapi(void);
size_t ip_openapi_bytes(void);
