// The public header of glob patterns over keys, so that this room includes it like its own.
#pragma once

#include "tiercache/glob.h"
