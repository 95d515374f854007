// Each thread keeps a parser of its own.
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "json/document.h"

namespace tiercache {
namespace {

TEST(DocumentThreads, checks_on_many_threads_are_right) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([] {
      for (int round = 0; round < 200; ++round) {
        std::string document = "{\"first\":1";
        for (int member = 0; member < round; ++member) {
          document += ",\"" + std::to_string(member) + "\":1";
        }
        EXPECT_FALSE(check_document(document + "}", {}));
        EXPECT_TRUE(check_document(document + ",\"first\":1}", {}));
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

}  // namespace
}  // namespace tiercache
