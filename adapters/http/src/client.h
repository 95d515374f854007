// How a refresh asks its source, and what the answer means.
#pragma once

#include <optional>
#include <string>

#include "select.h"
#include "tiercache/http.h"
#include "transfer.h"
#include "url.h"

namespace tiercache::http::detail {

// Thread-safe.
class Client {
 public:
  // The options must have been checked.
  explicit Client(Options options);

  RefreshAnswer<std::string> fetch(const RefreshContext& context) const;

 private:
  // What all requests of one refresh share.
  struct Round {
    const RefreshContext& context;
    SteadyTime deadline;
    // The validators of the previous document. If both are empty the request is unconditional.
    std::string etag;
    std::string last_modified;
    std::string token;
    Origin origin;                  // of the last request
    bool credentials_used = false;  // whether the last request had the token, headers and user info
  };

  Round begin(const RefreshContext& context) const;
  std::string ask_token() const;
  // Asks the source and follows redirects.
  Reply ask(const std::string& url, Round& round) const;
  Request request_for(const Target& target, Round& round) const;
  Target redirect_from(const Target& from, const Reply& reply) const;
  RefreshAnswer<std::string> answer_of(Reply reply, const Round& round) const;
  Refreshed<std::string> document_of(Reply reply) const;
  NotModified not_modified(const Reply& reply, const Round& round) const;
  std::string metadata_of(const Reply& reply) const;
  bool has_credentials(const Round& round) const;
  // "answered 401"; after a redirect to another origin also where.
  std::string what_answered(const Reply& reply, const Round& round) const;
  [[noreturn]] void fail(const std::string& what) const;

  const Options options_;
  const UrlTemplate url_;
  const JsonPointer select_;
  const std::string fingerprint_;
  const bool sets_accept_;
  mutable Transfers transfers_;
};

}  // namespace tiercache::http::detail
