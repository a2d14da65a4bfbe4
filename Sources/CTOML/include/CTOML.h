#ifndef IRONPOST_CTOML_H
#define IRONPOST_CTOML_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// A parsed TOML document as a flat list of nodes in document-tree order (a container before its children), so that
/// the caller needs no C++ and makes one call per node. Lines and columns count from 1; 0 means "no place".

typedef enum {
    CTOML_TABLE,
    CTOML_ARRAY,
    CTOML_STRING,
    CTOML_INTEGER,
    CTOML_FLOAT,
    CTOML_BOOLEAN,
    CTOML_DATE_TIME,
} ctoml_kind;

/// Bytes owned by the document; not terminated, and may contain NUL (TOML strings can spell it as \u0000).
typedef struct {
    const char *bytes;
    size_t count;
} ctoml_text;

typedef struct {
    ctoml_kind kind;
    /// Children of a table or an array; the children's own children lie between them.
    size_t child_count;
    /// The name in the enclosing table; empty for the root and for array elements.
    ctoml_text key;
    /// Where the name stands, else where the value stands.
    uint32_t line;
    uint32_t column;
    /// The value of a string.
    ctoml_text string;
    /// The value of an integer, or of a boolean as 0 or 1.
    int64_t integer;
    double floating;
} ctoml_node;

typedef struct ctoml_document ctoml_document;

/// Parses `count` bytes of UTF-8. Never throws; NULL only when memory ran out. Free it with ctoml_free.
ctoml_document *ctoml_parse(const char *bytes, size_t count);

void ctoml_free(ctoml_document *document);

/// Whether the text was not TOML: the document then has no nodes, and the three below say what and where.
int ctoml_failed(const ctoml_document *document);
ctoml_text ctoml_error_message(const ctoml_document *document);
uint32_t ctoml_error_line(const ctoml_document *document);
uint32_t ctoml_error_column(const ctoml_document *document);

size_t ctoml_node_count(const ctoml_document *document);

/// The node at `index`, which must be below ctoml_node_count; the root table is node 0.
ctoml_node ctoml_node_at(const ctoml_document *document, size_t index);

#ifdef __cplusplus
}
#endif

#endif
