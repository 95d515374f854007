// What every `Store` must do, as GoogleTest cases: run it against a store of your own.
//
//     INSTANTIATE_TEST_SUITE_P(MyStore, StoreConformance, testing::Values(StoreUnderTest{
//         .name = "mine", .open = [] { return my_store(); }}));
//
// `open` returns a store that is empty (or whose project names are unused); it is called once per case.
// Include this header in one source file of a test program linked with GoogleTest.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "tiercache/store.h"

namespace tiercache::testing {

struct StoreUnderTest {
  std::string name;
  std::function<std::shared_ptr<Store>()> open;
};

}  // namespace tiercache::testing
