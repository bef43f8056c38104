// The same program as C++17, the language most programs of boards are written in.
#include "general.c"
