// Servers that hang, break off, never end or lie, and sizes: each call ends, and says why.
#include <gmock/gmock.h>
#include <zlib.h>

#include <future>

#include "adapters/http/servers.h"
#include "tiercache/http.h"

namespace tiercache::http {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using namespace std::chrono_literals;
using testing::context_for;
using testing::error_of;
using testing::RawServer;
using testing::Server;
using Peer = RawServer::Peer;

std::string head(const std::string& headers) {
  return "HTTP/1.1 200 OK\r\n" + headers + "\r\n";
}

std::string gzip(const std::string& text) {
  z_stream stream{};
  deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string packed(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

// --- Hanging ---

TEST(HttpFaults, server_that_hangs_anywhere_ends_at_the_timeout_I7) {
  for (const std::string& sent :
       {std::string(), std::string("HTTP/1.1 2"), head("Content-Length: 10\r\n") + "[1,",
        std::string("HTTP/1.1 200 OK\r\nX: "),
        head("Transfer-Encoding: chunked\r\n") + "3\r\n[1"}) {
    RawServer server([&](Peer& peer) {
      peer.send(sent);
      peer.wait_for_hang_up();
    });
    EXPECT_THAT(error_of(source({.url = server.url(), .timeout = 50ms})),
                HasSubstr("by the deadline"))
        << sent;
  }
}

TEST(HttpFaults, deadline_of_the_refresh_ends_it_before_its_own_timeout_I7) {
  RawServer server([](Peer& peer) { peer.wait_for_hang_up(); });
  EXPECT_THAT(
      error_of(source({.url = server.url(), .timeout = 1h}), context_for("", nullptr, 50ms)),
      HasSubstr("by the deadline"));
}

TEST(HttpFaults, refresh_that_is_cancelled_ends) {
  RawServer server([](Peer& peer) {
    peer.send(head("Content-Length: 10\r\n") + "[1,");
    peer.wait_for_hang_up();
  });
  const auto context = context_for("", nullptr, 1h);
  auto asked = std::async(std::launch::async, [&] {
    return error_of(source({.url = server.url(), .timeout = 1h}), context);
  });
  server.wait_until_asked(1);
  context.cancel();
  EXPECT_THAT(asked.get(), HasSubstr("cancelled"));
}

TEST(HttpFaults, body_that_trickles_ends_at_the_timeout_I7) {
  RawServer server([](Peer& peer) {
    peer.send(head("Transfer-Encoding: chunked\r\n"));
    while (peer.send("1\r\n \r\n")) {
    }
  });
  EXPECT_THAT(error_of(source({.url = server.url(), .timeout = 50ms, .max_bytes = 1u << 30})),
              HasSubstr("by the deadline"));
}

// --- Breaking off ---

TEST(HttpFaults, half_an_answer_is_no_document) {
  for (const std::string& sent :
       {std::string("HT"), head("Content-Length: 10\r\n") + "[1]",
        head("Transfer-Encoding: chunked\r\n") + "3\r\n[1]\r\n", std::string("not http at all\r\n"),
        std::string("HTTP/1.1 200 OK\r\nContent-Le")}) {
    RawServer server([&](Peer& peer) { peer.send(sent); });
    EXPECT_THAT(error_of(source({.url = server.url()})), HasSubstr("GET http://127.0.0.1")) << sent;
  }
}

TEST(HttpFaults, reset_is_named) {
  for (const std::string& sent : {std::string(), head("Content-Length: 10\r\n") + "[1]"}) {
    RawServer server([&](Peer& peer) {
      peer.send(sent);
      peer.reset();
    });
    EXPECT_THAT(error_of(source({.url = server.url()})), HasSubstr("data.json: "));
  }
}

TEST(HttpFaults, server_that_is_away_is_named_and_found_again_later) {
  std::string url;
  {
    RawServer server([](Peer&) {});
    url = server.url();
  }
  EXPECT_THAT(error_of(source({.url = url})), HasSubstr("connect"));
}

TEST(HttpFaults, source_works_again_after_each_failure) {
  std::atomic<int> round{0};
  RawServer server([&](Peer& peer) {
    switch (round++ % 3) {
      case 0:
        return peer.reset();
      case 1:
        peer.send(head("Content-Length: 9\r\n") + "[1");
        return;
      default:
        peer.send(head("Content-Length: 3\r\n") + "[1]");
    }
  });
  const Source one = source({.url = server.url()});
  for (int i = 0; i < 9; ++i) {
    const std::string result = error_of(one);
    EXPECT_EQ(result == "(document of 3 bytes)", i % 3 == 2) << i << ": " << result;
  }
}

// --- Sizes ---

TEST(HttpSizes, limit_is_exact) {
  const Server server([](const httplib::Request&, httplib::Response& response) {
    response.set_content('"' + std::string(998, 'x') + '"', "application/json");
  });
  EXPECT_EQ(error_of(source({.url = server.url(), .max_bytes = 1'000})),
            "(document of 1000 bytes)");
  EXPECT_THAT(error_of(source({.url = server.url(), .max_bytes = 999})), HasSubstr("max_bytes"));
}

TEST(HttpSizes, body_without_end_is_cut_off) {
  RawServer server([](Peer& peer) {
    peer.send(head("Transfer-Encoding: chunked\r\n"));
    while (peer.send("400\r\n" + std::string(1024, '1') + "\r\n")) {
    }
  });
  EXPECT_THAT(error_of(source({.url = server.url(), .max_bytes = 100'000})),
              HasSubstr("max_bytes"));
}

TEST(HttpSizes, error_page_without_end_is_still_its_status) {
  RawServer server([](Peer& peer) {
    peer.send("HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n");
    while (peer.send("400\r\n" + std::string(1024, '1') + "\r\n")) {
    }
  });
  EXPECT_THAT(error_of(source({.url = server.url()})), HasSubstr("answered 500"));
}

TEST(HttpSizes, headers_without_end_are_cut_off) {
  RawServer server([](Peer& peer) {
    peer.send("HTTP/1.1 200 OK\r\n");
    while (peer.send("X-More: " + std::string(1000, 'x') + "\r\n")) {
    }
  });
  EXPECT_THAT(error_of(source({.url = server.url()})),
              AnyOf(HasSubstr("headers"), HasSubstr("header")));
}

TEST(HttpSizes, compressed_answer_is_unpacked) {
  const std::string document = '"' + std::string(100'000, 'x') + '"';
  const Server server([&](const httplib::Request& request, httplib::Response& response) {
    EXPECT_THAT(request.get_header_value("Accept-Encoding"), HasSubstr("gzip"));
    response.set_content(document, "application/json");  // which httplib compresses
  });
  EXPECT_EQ(error_of(source({.url = server.url()})), "(document of 100002 bytes)");
}

TEST(HttpSizes, bomb_is_cut_off_while_it_unpacks) {
  const std::string bomb = gzip(std::string(64 << 20, '1'));
  ASSERT_LT(bomb.size(), 100'000u);
  RawServer server([&](Peer& peer) {
    peer.send(
        head("Content-Encoding: gzip\r\nContent-Length: " + std::to_string(bomb.size()) + "\r\n") +
        bomb);
  });
  EXPECT_THAT(error_of(source({.url = server.url(), .max_bytes = 1 << 20})),
              HasSubstr("max_bytes"));
}

TEST(HttpSizes, packing_that_is_broken_or_unknown_is_no_document) {
  for (const std::string encoding : {"gzip", "br", "deflate", "x-unknown"}) {
    RawServer server([&](Peer& peer) {
      peer.send(head("Content-Encoding: " + encoding + "\r\nContent-Length: 12\r\n") +
                "[1, 2, 3, 4]");
    });
    EXPECT_THAT(error_of(source({.url = server.url()})), HasSubstr("ncoding")) << encoding;
  }
}

TEST(HttpSizes, error_page_of_an_unknown_packing_is_still_its_status) {
  RawServer server([&](Peer& peer) {
    peer.send("HTTP/1.1 403 No\r\nContent-Encoding: x-unknown\r\nContent-Length: 2\r\n\r\nno");
  });
  EXPECT_THAT(error_of(source({.url = server.url()})), HasSubstr("answered 403"));
}

TEST(HttpSizes, packing_that_is_unknown_is_named_without_what_could_deceive_a_reader) {
  RawServer server([&](Peer& peer) {
    peer.send(head("Content-Encoding: x-\x1b[31munknown\"" + std::string(100, 'z') +
                   "\r\nContent-Length: 3\r\n") +
              "[1]");
  });
  const std::string error = error_of(source({.url = server.url()}));
  EXPECT_THAT(error, HasSubstr("Content-Encoding \"x-31munknownzzz"));
  EXPECT_EQ(error.find('\x1b'), std::string::npos);
  EXPECT_LT(error.size(), 220u);
}

}  // namespace
}  // namespace tiercache::http
