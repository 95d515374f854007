#include "upgrade/state/check.h"

#include <algorithm>
#include <fstream>
#include <stdexcept>
#include <string_view>

namespace tiercache::upgrade {
namespace {

using nlohmann::json;
using std::chrono::seconds;

std::vector<std::string> sorted(std::vector<std::string> names) {
  std::sort(names.begin(), names.end());
  return names;
}

std::string age_of(std::optional<WallTime> time) {
  if (!time) return "never";
  return std::to_string((*time - kBeginning).count()) + " ms";
}

std::string expected_age(const json& entry, const char* member) {
  const auto found = entry.find(member);
  return found == entry.end() ? "never" : std::to_string(found->get<int>() * 1'000) + " ms";
}

class Comparison {
 public:
  Comparison(Machine& machine, const Expected& expected) : machine_(machine), expected_(expected) {}

  void local() {
    for_each_entry([&](const EntryId& id, const json& entry) {
      const auto data = dataset(id.dataset);
      const auto snapshot = data.get(id.key, {.reach = Reach::local});
      const std::string of = "locally " + name(id) + ": ";
      if (entry.is_null()) {
        same(of + "document", "nothing", snapshot ? *snapshot : "nothing");
        return;
      }
      same(of + "document", text(entry), snapshot ? *snapshot : "nothing");
      if (!snapshot) return;
      same(of + "metadata", entry.value("metadata", "{}"), snapshot.metadata());
      same(of + "freshness", entry.value("freshness", "fresh"), to_string(snapshot.freshness()));
      const Clocks clocks = snapshot.clocks();
      same(of + "fetched", expected_age(entry, "fetched"), age_of(clocks.last_fetch));
      same(of + "rich", expected_age(entry, "rich_fetched"), age_of(clocks.last_rich_fetch));
    });
    keys();
    const Stats stats = machine_.cache().stats();
    same("files in quarantine", "0", std::to_string(stats.files_quarantined));
    same("corrupt records", "0", std::to_string(stats.journal_corrupt_records));
  }

  void outbox(OutboxIs outbox) {
    const std::vector<std::string> pending = sorted(writes(OutboxState::pending));
    if (outbox == OutboxIs::settled) same("pending", {}, pending);
    // There may be others, which the store has confirmed: a kill takes the marks that say so.
    for (const std::string& write : expected_.pending) {
      const bool found = std::binary_search(pending.begin(), pending.end(), write);
      if (!found && outbox == OutboxIs::as_written) differs("not pending: " + write);
    }
    same("parked", expected_.parked, writes(OutboxState::parked));
  }

  void store() {
    const auto look = machine_.gate().first_look(seconds(10));
    if (!look) return differs("no look at the change feed was answered");
    if (look->cursor.empty()) differs("the change feed's cursor was forgotten");
    if (look->gap) differs("the change feed's cursor was taken for a gap");
    if (!machine_.cache().flush(seconds(30))) differs("the store did not settle everything");
    if (machine_.cache().health().store_replaced_since) differs("the store counts as another one");
    for_each_entry([&](const EntryId& id, const json& entry) {
      if (!is_parked(id)) row(id, entry);
    });
    const ScrubReport scrub = machine_.cache().scrub();
    if (!scrub.complete || scrub.differences() != 0) differs("scrub: " + scrub.to_string());
    outbox(OutboxIs::settled);
  }

  // And, where there is any, what the tiers say of themselves: it may be why.
  std::vector<std::string> found() {
    if (differences_.empty()) return {};
    const Health health = machine_.cache().health();
    for (const TierHealth* tier : {&health.files, &health.journal, &health.store}) {
      if (!tier->working) differences_.push_back(tier->why);
    }
    return differences_;
  }

 private:
  void differs(const std::string& what) { differences_.push_back(what); }
  void same(const std::string& what, std::string_view expected, std::string_view is) {
    if (expected == is) return;
    differs(what + " is " + std::string(is) + ", not " + std::string(expected));
  }
  void same(const std::string& what, const std::vector<std::string>& expected,
            const std::vector<std::string>& is) {
    same(what, json(sorted(expected)).dump(), json(sorted(is)).dump());
  }

  template <class Visit>
  void for_each_entry(Visit visit) {
    for (const auto& [dataset, entries] : expected_.entries.items()) {
      for (const auto& [key, entry] : entries.items()) visit(EntryId{dataset, key}, entry);
    }
  }
  static std::string name(const EntryId& id) { return id.dataset + "/" + id.key; }
  static std::string text(const json& entry) { return entry.at("document").get<std::string>(); }
  Dataset<JsonText> dataset(const std::string& name) {
    return name == "single" ? machine_.single() : machine_.documents();
  }

  // Nothing is there that was not written, and nothing that was erased.
  void keys() {
    std::vector<std::string> expected;
    for (const auto& [key, entry] : expected_.entries.at("documents").items()) {
      if (!entry.is_null()) expected.push_back(key);
    }
    same("keys", expected, machine_.documents().keys().keys);
  }

  std::vector<std::string> writes(OutboxState state) {
    std::vector<std::string> names;
    for (const OutboxWrite& write : machine_.cache().outbox().list({.state = state}).writes) {
      names.push_back(std::string(to_string(write.kind)) + " " + name(write.id));
    }
    return names;
  }
  bool is_parked(const EntryId& id) const {
    const auto& parked = expected_.parked;
    return std::find(parked.begin(), parked.end(), "document " + name(id)) != parked.end();
  }

  void row(const EntryId& id, const json& entry) {
    const LoadReply reply =
        machine_.store().load(kProject, {&id, 1}, system_clock()->steady_now() + seconds(10));
    const std::string of = "in the store " + name(id) + ": ";
    if (reply.status != StoreStatus::ok) return differs(of + reply.message);
    const EntryPtr& row = reply.entries.front();
    const bool document = row && row->document;
    same(of + "document", entry.is_null() ? "nothing" : text(entry),
         document ? *row->document : "nothing");
    if (!document || entry.is_null()) return;
    const auto info = dataset(id.dataset).info(id.key);
    same(of + "version", info ? info->version.to_string() : "none", row->version.to_string());
    same(of + "metadata", entry.value("metadata", "{}"), row->metadata);
    same(of + "fetched", expected_age(entry, "fetched"), age_of(row->clocks.last_fetch));
  }

  Machine& machine_;
  const Expected& expected_;
  std::vector<std::string> differences_;
};

}  // namespace

Expected Expected::read(const std::string& file, const std::string& step) {
  std::ifstream in(file);
  const json steps = json::parse(in);
  const json& at = steps.at(step);
  Expected expected;
  if (at.contains("after")) expected.entries = read(file, at["after"].get<std::string>()).entries;
  for (const auto& [dataset, entries] : at.at("entries").items()) {
    expected.entries[dataset].update(entries);
  }
  expected.pending = at.at("pending").get<std::vector<std::string>>();
  expected.parked = at.at("parked").get<std::vector<std::string>>();
  return expected;
}

std::vector<std::string> differences(const Place& place, std::chrono::seconds age,
                                     const Expected& expected, OutboxIs outbox) {
  Machine machine(place, {.age = age, .store = Machine::StoreIs::away, .refused = kRefusedKey});
  Comparison comparison(machine, expected);
  if (outbox == OutboxIs::as_written) comparison.outbox(outbox);
  comparison.local();
  machine.gate().open();
  comparison.store();
  std::vector<std::string> found = comparison.found();
  machine.cache().close();
  return found;
}

}  // namespace tiercache::upgrade
