// Glob patterns over keys: the public function, under the room's roof.
#pragma once

#include "tiercache/glob.h"
