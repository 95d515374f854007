// The exceptions of the public API. They are thrown when a caller asks for something that it cannot
// have. What is normal (a miss, a refused row, a dead tier) is an outcome instead.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

namespace tiercache {

// The base of all of them. `what()` says what was tried, in what state things are now and what to
// do about it; it never contains a document or a secret.
//
// What the calls of an open cache throw may be shown to others, as an HTTP service does with
// `what()`: it quotes no disk and no server. It does name datasets and versions, and
// `InvalidDocument` quotes what the dataset's own `validate` threw. What is thrown while something
// is opened (`BadConfiguration`, `BadDirectory`) names paths and hosts, and is meant for those who
// run the service.
class Error : public std::runtime_error {
 public:
  // `message` is `what()`, `details` is `details()`.
  explicit Error(const std::string& message, std::string details = {})
      : std::runtime_error(message),
        details_(std::make_shared<const std::string>(std::move(details))) {}

  // For logs: what a disk, a server or a callback said. It may name hosts, databases, users and
  // paths, but holds no secrets. Empty if `what()` says it all.
  const std::string& details() const { return *details_; }

 private:
  std::shared_ptr<const std::string> details_;  // shared, so that copying does not throw
};

// The configuration cannot work, or does not allow the call. Of bad options it lists every fault
// that was found, each on a line of its own with the field, its value and the allowed range. It is
// also thrown, with a plain sentence, by `Dataset::refresh` of a dataset without a refresh
// callback, and by a write with `Durability::store` while there is no store or it is switched off
// (`Flags::store_enabled`).
class BadConfiguration : public Error {
  using Error::Error;
};

// The directory cannot be used: it is a file, is not writable, lies on a remote file system, or
// belongs to another project or format.
class BadDirectory : public Error {
  using Error::Error;
};

// The key, or the pattern of `erase_matching`, is not acceptable: it is empty or not empty where
// that is not allowed, is too long for the limits or the store, has a NUL byte, or, of a key, is
// not UTF-8. Nothing was done.
class InvalidKey : public Error {
  using Error::Error;
};

// The document or its metadata is not acceptable, or the codec cannot write the value. Says why and
// where. Nothing was stored.
class InvalidDocument : public Error {
  using Error::Error;
};

// A write with `if_version` found another version, no entry or an erased one, and says which.
// Nothing was stored.
class VersionConflict : public Error {
  using Error::Error;
};

// A write could not be made as durable as it was asked to be.
class NotDurable : public Error {
 public:
  // What is known of the write.
  enum class State {
    not_applied,  // the write is nowhere, and never will be
    unknown,  // the write may appear later, as the version that `what()` names, if it names one:
              // it does not if the deadline passed while the disk was at it; or the write is kept
              // here and parked, because the store refused it
  };
  // The message and details are those of `Error`; `state` is what is known of the write.
  NotDurable(State state, const std::string& message, std::string details = {})
      : Error(message, std::move(details)), state_(state) {}
  // What is known of the write.
  State state() const { return state_; }

 private:
  State state_;
};

// A snapshot without a value was dereferenced. `what()` names each tier's answer; `details()` has
// the reasons too (`Passage::to_string`).
class NoData : public Error {
  using Error::Error;
};

// The call needs an open cache, and this one is closed.
class Closed : public Error {
  using Error::Error;
};

// The deadline passed before the store confirmed a write with `Durability::store`. The write is
// journaled: `what()` says what becomes of it, and `details()` what the store last said.
class DeadlineExceeded : public Error {
  using Error::Error;
};

}  // namespace tiercache
