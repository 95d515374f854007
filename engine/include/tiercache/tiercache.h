// Includes everything that a service needs, except for the opt-in headers: json.h (nlohmann types),
// await.h (coroutines), asio.h (Boost.Asio), and each adapter's own, such as sqlite.h.
#pragma once

#include "tiercache/cache.h"
#include "tiercache/codec.h"
#include "tiercache/dataset.h"
#include "tiercache/error.h"
#include "tiercache/key.h"
#include "tiercache/options.h"
#include "tiercache/outbox.h"
#include "tiercache/outcome.h"
#include "tiercache/refresh.h"
#include "tiercache/scrub.h"
#include "tiercache/snapshot.h"
#include "tiercache/stats.h"
#include "tiercache/store.h"
#include "tiercache/time.h"
