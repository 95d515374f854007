// What every `Store` must do, as GoogleTest cases: run it against a store of your own.
//
//     using namespace tiercache::testing;
//     INSTANTIATE_TEST_SUITE_P(MyStore, StoreConformance, testing::Values(StoreUnderTest{
//         .name = "mine", .open = [] { return my_store(); }}), store_name);
//
// Include this header in one source file of a test program linked with GoogleTest, nlohmann-json
// and tiercache::engine.
#pragma once

#include "tiercache/testing/store_conformance/changes.h"
#include "tiercache/testing/store_conformance/concurrency.h"
#include "tiercache/testing/store_conformance/content.h"
#include "tiercache/testing/store_conformance/data.h"
#include "tiercache/testing/store_conformance/fixture.h"
#include "tiercache/testing/store_conformance/guards_and_clocks.h"
#include "tiercache/testing/store_conformance/hints.h"
#include "tiercache/testing/store_conformance/matching_erase.h"
#include "tiercache/testing/store_conformance/purge.h"
#include "tiercache/testing/store_conformance/scan.h"
