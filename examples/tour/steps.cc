#include "tour/steps.h"

#include <atomic>
#include <fstream>
#include <map>
#include <thread>
#include <utility>

namespace tour {

namespace {

std::string number(auto count, const std::string& one, const std::string& many) {
  return std::to_string(count) + " " + (count == 1 ? one : many);
}

// Reads all documents of the tour; all must come as they are in the folder.
Tally read_all(World& world, Step& step) {
  Tally tally;
  for (const Document& document : world.documents()) {
    const Answer answer = world.get("documents", document.key);
    tally.add(answer);
    step.must(world.is_same(answer.body, document.text),
              document.key + " came with " + in_words(answer) +
                  (answer.status == 200 ? " and other bytes" : ""));
  }
  return tally;
}

// Reads notes that were acknowledged; each must be there.
using Notes = std::map<std::string, std::string>;
Tally read_notes(World& world, Step& step, const Notes& notes) {
  Tally tally;
  for (const auto& [key, text] : notes) {
    const Answer answer = world.get("notes", key);
    tally.add(answer);
    step.must(world.is_same(answer.body, text),
              "acknowledged note " + key + " came with " + in_words(answer) +
                  (answer.status == 200 ? " and other bytes" : ""));
  }
  return tally;
}

std::string note(const std::string& key) {
  return R"({"note":")" + key + R"(","by":"a reader"})";
}

// --- In order ---

void cold_fill(World& world, Step& step) {
  const int before = world.upstream_calls();
  const Tally tally = read_all(world, step);
  const auto count = static_cast<int>(world.documents().size());
  step.did("asked an empty cache for " + number(count, "document", "documents"));
  step.served(tally.to_string());
  step.must(tally.from("source") + tally.late() == count, "not all came from the source");
  const int calls = world.upstream_calls() - before;
  step.must(calls == count, number(calls, "call to the upstream", "calls to the upstream"));
}

void each_tier_in_turn(World& world, Step& step) {
  const std::string key = world.documents().front().key;
  const auto read_from = [&](const std::string& tier) {
    const Answer answer = world.get("archive", key);
    step.served(in_words(answer));
    step.must(world.is_same(answer.body, world.documents().front().text),
              "other bytes from " + answer.tier);
    // What was late may have come from there meanwhile, and lies in a nearer tier by now.
    step.must(answer.tier == tier || (answer.status == 200 && answer.late > 0),
              "came from " + in_words(answer) + " instead of " + tier);
  };
  step.did("read " + key + ", read it again");
  read_from("source");
  read_from("memory");
  step.must(eventually([&] { return world.all_settled(); }), "writes did not reach the store");
  step.did("restarted");
  world.stop_service();
  world.start_service();
  read_from("files");
  step.did("deleted its file and restarted");
  world.stop_service();
  std::filesystem::remove(world.entry_file("archive", key));
  world.start_service();
  read_from("store");
}

void upstream_outage(World& world, Step& step) {
  step.must(world.get("headline").freshness == "fresh" ||
                eventually([&] { return world.get("headline").freshness == "fresh"; }),
            "not fresh before");
  step.did("killed the upstream of a document refreshed every 0.5 s, waited until it was stale");
  world.kill_upstream();
  step.must(eventually([&] {
              const Answer answer = world.get("headline");
              return answer.freshness == "stale" && answer.age >= 2;
            }),
            "the document did not become stale");
  Tally tally;
  for (int i = 0; i < 200; ++i) {
    const Answer answer = world.get("headline");
    tally.add(answer);
    step.must(world.is_same(answer.body, world.documents().front().text),
              "a reader was not served");
  }
  step.served(tally.to_string());
  step.must(eventually([&] { return world.health()["sources"]["headline"]["working"] == false; }),
            "health did not report it");
  step.did("started it again");
  world.start_upstream();
  step.must(eventually([&] { return world.get("headline").freshness == "fresh"; }),
            "not fresh afterwards");
  step.served("then " + in_words(world.get("headline")));
}

void store_outage(World& world, Step& step) {
  constexpr int kNotes = 20;
  step.must(eventually([&] { return world.all_settled(); }), "writes did not reach the store");
  world.take_store_away();
  Notes notes;
  for (int i = 0; i < kNotes; ++i) {
    const std::string key = "outage-" + std::to_string(i);
    if (world.put("notes", key, note(key))) notes[key] = note(key);
  }
  step.must(notes.size() == kNotes, "not every write was acknowledged");
  const long depth = world.stat("/outbox/depth");
  step.did("took the store away, put " + number(kNotes, "note", "notes") + " (outbox " +
           std::to_string(depth) + ")");
  step.must(depth >= kNotes, "the outbox holds " + std::to_string(depth));
  step.must(eventually([&] { return world.health()["store"]["working"] == false; }),
            "health did not report it");
  step.served(read_notes(world, step, notes).to_string());
  world.bring_store_back();
  step.must(eventually([&] { return world.stat("/outbox/depth") == 0; }),
            "the outbox did not drain");
  step.did("brought it back (outbox " + std::to_string(world.stat("/outbox/depth")) + ")");
}

// Puts notes until the service, killed in the middle of it, no longer answers.
Notes write_until_killed(World& world, std::size_t at_least) {
  Notes acknowledged;
  std::atomic<std::size_t> count{0};
  std::atomic<bool> gave_up{false};
  std::thread writer([&] {
    for (int i = 0;; ++i) {
      const std::string key = "kill-" + std::to_string(i);
      if (!world.put("notes", key, note(key))) break;
      acknowledged[key] = note(key);
      ++count;
    }
    gave_up = true;
  });
  eventually([&] { return count >= at_least || gave_up; });
  world.kill_service();
  writer.join();
  return acknowledged;
}

void kill_with_unconfirmed_writes(World& world, Step& step) {
  constexpr std::size_t kNotes = 200;
  world.take_store_away();
  const Notes notes = write_until_killed(world, kNotes);
  step.did("took the store away, put notes, kill -9 after " +
           number(notes.size(), "was acknowledged", "were acknowledged"));
  step.must(notes.size() >= kNotes, "writes ended by themselves");
  world.start_service();
  const long depth = world.stat("/outbox/depth");
  step.did("restarted (outbox " + std::to_string(depth) + ")");
  step.served(read_notes(world, step, notes).to_string());
  step.must(depth >= static_cast<long>(notes.size()), "the outbox lost some");
  world.bring_store_back();
  step.must(eventually([&] { return world.stat("/outbox/depth") == 0; }),
            "the store did not confirm all");
  step.must(world.stat("/outbox/parked") == 0, "some are parked");
  step.did("brought the store back (outbox " + std::to_string(world.stat("/outbox/depth")) + ")");
}

// Turns over some bits in the middle of a file. The bytes it has then.
std::string corrupt(const std::filesystem::path& file) {
  std::string bytes = read_file(file);
  for (std::size_t at = bytes.size() / 2; at < bytes.size() / 2 + 8; ++at) bytes[at] ^= 0x15;
  std::ofstream(file, std::ios::binary) << bytes;
  return bytes;
}

void corrupted_file(World& world, Step& step) {
  const Document& document = world.documents().back();
  step.must(eventually([&] { return world.all_settled(); }), "writes did not reach the store");
  world.stop_service();
  const auto file = world.entry_file("documents", document.key);
  const std::string bad = corrupt(file);
  world.start_service();
  step.did("flipped bytes in the file of " + document.key + ", restarted");
  const Answer answer = world.get("documents", document.key);
  step.served(in_words(answer));
  step.must(world.is_same(answer.body, document.text), "a reader got other bytes");
  const auto quarantined = world.quarantined();
  step.must(quarantined.size() == 1 && quarantined.front() == bad,
            "the quarantine holds " +
                number(quarantined.size(), "file, not the bad one", "files, not the bad one"));
  const auto expected = nlohmann::json::parse(document.text);
  step.must(eventually([&] {
              const auto entry = nlohmann::json::parse(read_file(file), nullptr, false);
              return entry.is_object() && entry.value("data", nlohmann::json()) == expected;
            }),
            "the file was not healed");
  step.did("found it aside and its place healed");
}

void restart(World& world, Step& step) {
  const int before = world.upstream_calls();
  const std::string receipt = world.stop_service();
  world.start_service();
  step.did("stopped (" + receipt + ") and started");
  const Tally tally = read_all(world, step);
  step.served(tally.to_string());
  const int calls = world.upstream_calls() - before;
  step.must(calls == 0,
            number(calls, "document was fetched again", "documents were fetched again"));
  step.must(receipt.find("dropped 0") != std::string::npos, "the receipt says otherwise");
}

void restart_with_directory_wiped(World& world, Step& step) {
  const int before = world.upstream_calls();
  const std::string key = "before-the-wipe";
  step.must(world.put("notes", key, note(key)), "a write was not acknowledged");
  const std::string receipt = world.stop_service();
  world.wipe_cache_directory();
  world.start_service();
  step.did("stopped (" + receipt + "), deleted the cache's directory, started");
  const Tally documents = read_all(world, step);
  Notes expected = {{key, note(key)}};
  if (world.owns_store()) expected["kill-0"] = note("kill-0");  // of a step that was taken then
  const Tally notes = read_notes(world, step, expected);
  const Answer archived = world.get("archive", world.documents().front().key);
  step.must(world.is_same(archived.body, world.documents().front().text),
            "the archive did not come back");
  step.served("documents " + documents.to_string() + "; notes " + notes.to_string() + "; archive " +
              in_words(archived));
  const int calls = world.upstream_calls() - before;
  step.must(calls == 0, number(calls, "call to the upstream", "calls to the upstream"));
}

}  // namespace

const std::vector<PlannedStep>& planned_steps() {
  static const std::vector<PlannedStep> steps = {
      {"cold fill", "each document is fetched once and served byte for byte", cold_fill},
      {"each tier in turn", "the nearest tier that has it serves", each_tier_in_turn},
      {"upstream outage", "readers are served what is stale, and told its age", upstream_outage},
      {"store outage", "writes go on, wait in the outbox, and drain when it returns", store_outage,
       true},
      {"kill -9", "no acknowledged write is lost, and all are confirmed in the end",
       kill_with_unconfirmed_writes, true},
      {"corrupted file", "no reader sees it; it is kept aside and healed", corrupted_file},
      {"restart", "nothing fresh is fetched again, nothing is dropped", restart},
      {"directory wiped", "what the store confirmed comes back without an upstream call",
       restart_with_directory_wiped},
  };
  return steps;
}

}  // namespace tour
