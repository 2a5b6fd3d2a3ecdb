#include <zlib.h>

/// deflateInit2 is a macro. 31: a gzip wrapper around a window of 32 KiB.
static inline int czlib_gzip_begin(z_stream *stream, int level) {
    return deflateInit2(stream, level, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY);
}

/// inflateInit2 likewise.
static inline int czlib_gunzip_begin(z_stream *stream) { return inflateInit2(stream, 31); }
