// The public headers as this library defines them: visible, while everything else in it is hidden.
#pragma once

#pragma GCC visibility push(default)
#include "rknn_api.h"
#include "rknn_custom_op.h"
#include "rknn_matmul_api.h"
#pragma GCC visibility pop

#include "openrknn/extension.h"
