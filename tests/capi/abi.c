/* The public headers as a C99 program meets them. */
#include <stddef.h>

#include "openrknn/extension.h"
#include "rknn_api.h"
#include "rknn_custom_op.h"
#include "rknn_matmul_api.h"

#define JOIN2(a, b) a##b
#define JOIN(a, b) JOIN2(a, b)
#define ASSERT(condition) typedef char JOIN(assertion_, __COUNTER__)[(condition) ? 1 : -1];
#define ALIGNMENT(type) \
  offsetof(             \
      struct {          \
        char c;         \
        type value;     \
      },                \
      value)

#if defined(__LP64__)
#define STRUCT(type, size, align) ASSERT(sizeof(type) == (size)) ASSERT(ALIGNMENT(type) == (align))
#define FIELD(type, field, offset) ASSERT(offsetof(type, field) == (offset))
#include "abi.inc"
#endif

ASSERT(sizeof(rknn_query_cmd) == 4)
ASSERT(sizeof(rknn_tensor_type) == 4)
ASSERT(sizeof(rknn_core_mask) == 4)
ASSERT(sizeof(rknn_target_type) == 4)
ASSERT(sizeof(rknn_matmul_type) == 4)

/* Inline helpers live in the header alone. */
const char* c99_type_string(int type) { return get_type_string((rknn_tensor_type)type); }
const char* c99_matmul_type_string(int type) { return get_matmul_type_string((rknn_matmul_type)type); }
