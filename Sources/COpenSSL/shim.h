#include <openssl/evp.h>
#include <openssl/sha.h>

/// EVP_MD_get_size and its kin are macros in some versions; this spares the callers the difference.
static inline int copenssl_digest(const EVP_MD *type, const void *data, size_t count, unsigned char *out) {
    return EVP_Digest(data, count, out, 0, type, 0);
}
