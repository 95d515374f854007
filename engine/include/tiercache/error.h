// The exceptions of the public API: thrown for what the caller asked and cannot have. Everything
// that is normal (a miss, a refused row, a dead tier) is an outcome instead.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

namespace tiercache {

// Base of all of them. `what()` says what was tried, in what state things are now and what to do;
// it never contains a document or a secret.
//
// `what()` of what the calls of an open cache throw may be sent to others, as an HTTP service does:
// it quotes no disk and no server. It does name datasets and versions, and `InvalidDocument` quotes
// what the dataset's own `validate` threw. What is thrown while something is opened
// (`BadConfiguration`, `BadDirectory`) names paths and hosts, and is for those who run the service.
class Error : public std::runtime_error {
 public:
  // `message` is `what()`, `details` is `details()`.
  explicit Error(const std::string& message, std::string details = {})
      : std::runtime_error(message),
        details_(std::make_shared<const std::string>(std::move(details))) {}

  // For logs: what a disk, a server or a callback said, which may name hosts, databases, users and
  // paths, but no secrets. Empty where `what()` says it all.
  const std::string& details() const { return *details_; }

 private:
  std::shared_ptr<const std::string> details_;  // shared, so that copying does not throw
};

// The configuration cannot work. Lists every fault found, one a line: field, value, allowed range.
class BadConfiguration : public Error {
  using Error::Error;
};

// The directory cannot be used: a file, remote, of another format or project, not writable.
class BadDirectory : public Error {
  using Error::Error;
};

// The key, or the pattern of `erase_matching`, is not acceptable: empty where not allowed, too long
// (for the limits or for the store), not UTF-8, with a NUL byte. Nothing was done.
class InvalidKey : public Error {
  using Error::Error;
};

// The document is not acceptable, or the codec cannot write the value; says why and where. Nothing
// was stored.
class InvalidDocument : public Error {
  using Error::Error;
};

// `put` with `if_version` found another version, no entry or an erased one, and says which. Nothing
// was stored.
class VersionConflict : public Error {
  using Error::Error;
};

// A write could not be made as durable as it was asked to be.
class NotDurable : public Error {
 public:
  // What is known of the write.
  enum class State {
    not_applied,  // the write is nowhere and never will be
    unknown,  // the write may appear later, as the version that was stamped for it; or it is kept
              // here, and parked, since the store refused it
  };
  // As `Error`, with what is known of the write.
  NotDurable(State state, const std::string& message, std::string details = {})
      : Error(message, std::move(details)), state_(state) {}
  // What is known of the write.
  State state() const { return state_; }

 private:
  State state_;
};

// A snapshot without a value was dereferenced. `what()` names each tier's answer, `details()` is
// the passage with the reasons.
class NoData : public Error {
  using Error::Error;
};

// The call needs an open cache and this one is closed.
class Closed : public Error {
  using Error::Error;
};

// The deadline passed before the call could finish. Of a write, with `Durability::store`: it is
// journaled, `what()` says what becomes of it, `details()` what the store last said.
class DeadlineExceeded : public Error {
  using Error::Error;
};

}  // namespace tiercache
