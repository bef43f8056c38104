/* What a C program does with a plug-in library: load, ask, register. Returns rknn_register_custom_ops' code, or 1. */
#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

#include "rknn_custom_op.h"

int register_plugin(rknn_context context, const char* path);
int register_plugin(rknn_context context, const char* path) {
  void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) return 1;
  get_custom_op_func get;
  void* symbol = dlsym(library, "get_rknn_custom_op");
  if (symbol == NULL) return 1;
  memcpy(&get, &symbol, sizeof get); /* ISO C has no cast from object to function pointers */
  rknn_custom_op* operation = get();
  return operation == NULL ? 1 : rknn_register_custom_ops(context, operation, 1);
}
