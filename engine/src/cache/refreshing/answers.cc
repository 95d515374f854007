#include "cache/refreshing/answers.h"

#include <exception>
#include <string>
#include <utility>

#include "cache/runtime/judge.h"
#include "json/document.h"
#include "json/envelope.h"

namespace tiercache::detail {

namespace {

FlightResult failed(std::string why) {
  return {.status = FlightResult::Status::failed, .why = std::move(why)};
}

// A document that does not decode is not offered as the previous one: the source would answer «not
// modified», and it would stay as it is for ever.
bool decodes(const DatasetState& dataset, const Entry& entry) {
  if (entry.cache_version != dataset.policy.options.cache_version) return false;
  try {
    (void)dataset.decode(*entry.document);
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

Change change_of(const RefreshRequest& request, const RefreshStart& start) {
  Change change;
  change.dataset = request.dataset;
  change.key = request.id.key;
  change.base = start.base;
  change.begun = start.begun;
  change.guard = start.guard;
  return change;
}

}  // namespace

// --- The start ---

// What the callback gets as the previous entry.
EntryPtr Answers::previous(DatasetState& dataset, const EntryId& id) {
  const EntryPtr here = local_.find(dataset, id);
  const bool document = here && here->kind == EntryKind::document;
  return document && decodes(dataset, *here) ? here : nullptr;
}

RefreshStart Answers::start(const RefreshRequest& request) {
  DatasetState& dataset = *request.dataset;
  RefreshStart start;
  start.begun = runtime_.versions.next();
  const Known known = local_.known(&dataset, request.id);
  start.base = known.version;
  start.known = known.visible();
  start.at = local_.fetch_time(request.id);
  start.previous = previous(dataset, request.id);
  // The answer will stand for what the callback was given, so it is compared with that version, and
  // not with what may have come since it was read.
  if (start.previous) start.base = start.known = start.previous->version;
  start.guard = start.known.is_zero() ? runtime_.versions.next() : start.known;
  start.both = !request.callback && request.cadence == Cadence::normal &&
               dataset.policy.rich_refresh &&
               (request.reason == RefreshReason::emergency || !start.previous);
  return start;
}

// --- Applying ---

void Answers::apply(const RefreshRequest& request, const RefreshStart& start, RefreshResult answer,
                    const Finish& finish) {
  if (auto* document = std::get_if<NewDocument>(&answer)) {
    return apply_document(request, start, std::move(*document), finish);
  }
  if (const auto* not_modified = std::get_if<NotModified>(&answer)) {
    return apply_not_modified(request, start, *not_modified, finish);
  }
  apply_not_found(request, start, finish);
}

void Answers::save(Change change, FlightResult saved, const char* what, const Finish& finish) {
  writes_.write_one(std::move(change), runtime_.options.store_calls.call_timeout,
                    [saved = std::move(saved), what, finish](const ChangeResult& result) {
                      finish(result.succeeded() ? saved
                                                : failed(std::string(what) +
                                                         " could not be saved: " + result.why));
                    });
}

std::optional<std::string> Answers::fault_of(const RefreshRequest& request,
                                             const NewDocument& answer) {
  Decoded decoded;
  return decode(request, answer, &decoded);
}

// Returns why the document is not acceptable, or nullopt.
std::optional<std::string> Answers::decode(const RefreshRequest& request, const NewDocument& answer,
                                           Decoded* decoded) {
  if (!answer.document) return "the callback returned no document";
  if (const auto fault = check_document(*answer.document, runtime_.rules)) {
    return "the source's document is not acceptable: " + fault->to_string();
  }
  if (const auto fault = metadata_fault(answer.metadata)) {
    return "the metadata of the source's document " + *fault;
  }
  try {
    *decoded = request.dataset->decode(*answer.document);
    return std::nullopt;
  } catch (const std::exception& error) {
    return std::string("the source's document was refused: ") + error.what();
  } catch (...) {
    return "the source's document was refused";
  }
}

void Answers::apply_document(const RefreshRequest& request, const RefreshStart& start,
                             NewDocument answer, const Finish& finish) {
  DatasetState& dataset = *request.dataset;
  Decoded decoded;
  if (auto fault = decode(request, answer, &decoded)) return finish(failed(std::move(*fault)));
  Change change = change_of(request, start);
  change.value = std::move(decoded.value);
  change.value_bytes = decoded.bytes;
  change.entry.checksum = Checksum::of(*answer.document);
  change.entry.document = std::move(answer.document);
  change.entry.metadata = std::move(answer.metadata);
  change.entry.cache_version = dataset.policy.options.cache_version;
  change.entry.fresh_for = lifetime_from(request.ttl ? request.ttl : answer.fresh_for);
  if (request.cadence == Cadence::normal) change.entry.clocks.last_fetch = start.at;
  if (request.cadence == Cadence::rich || start.both)
    change.entry.clocks.last_rich_fetch = start.at;
  save(std::move(change), {.status = FlightResult::Status::saved, .why = {}}, "its document",
       finish);
}

void Answers::apply_not_modified(const RefreshRequest& request, const RefreshStart& start,
                                 const NotModified& answer, const Finish& finish) {
  if (!start.previous) {
    return finish(failed("the source says «not modified», but nothing is cached"));
  }
  const auto fault = answer.metadata.empty() ? std::nullopt : metadata_fault(answer.metadata);
  if (fault) return finish(failed("the metadata that came with «not modified» " + *fault));
  request.dataset->counters.not_modified.add();
  Change change = change_of(request, start);
  change.kind = RecordKind::clocks;
  change.entry.metadata = answer.metadata;
  if (request.cadence == Cadence::normal) change.entry.clocks.last_fetch = start.at;
  if (request.cadence == Cadence::rich) change.entry.clocks.last_rich_fetch = start.at;
  save(std::move(change), {.status = FlightResult::Status::not_modified, .why = {}},
       "that nothing was modified", finish);
}

void Answers::apply_not_found(const RefreshRequest& request, const RefreshStart& start,
                              const Finish& finish) {
  DatasetState& dataset = *request.dataset;
  dataset.counters.not_found.add();
  FlightResult not_found{.status = FlightResult::Status::not_found, .why = {}};
  // Memory remembers it where there is nothing in its way.
  if (!start.base.is_zero()) not_found.hold_for = dataset.policy.options.not_found_for;
  if (start.previous && dataset.policy.options.not_found_erases) {
    Change change = change_of(request, start);
    change.entry.kind = EntryKind::tombstone;
    return save(std::move(change), std::move(not_found), "that there is none", finish);
  }
  if (!start.previous) remember_not_found(request, start);
  finish(not_found);
}

void Answers::remember_not_found(const RefreshRequest& request, const RefreshStart& start) {
  DatasetState& dataset = *request.dataset;
  const auto remember_for = dataset.policy.options.not_found_for;
  if (remember_for.count() <= 0) return;
  const auto seen = local_.memory().seen(dataset.ref(request.id.key));
  // Nothing is remembered if the key was written since the refresh began: memory might not know of
  // that write any more.
  if (stamps_.newest(dataset, request.id) != start.known) return;
  local_.remember_not_found(dataset, request.id, start.known, remember_for, seen);
}

}  // namespace tiercache::detail
