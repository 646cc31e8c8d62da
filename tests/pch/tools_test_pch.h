// test_pch.h, and what tests of the command line include besides.
#include "nlohmann/json.hpp"

#include "test_pch.h"
