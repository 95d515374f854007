#include "simulation/simulation.h"

#include <iostream>
#include <stdexcept>
#include <utility>

namespace tiercache::testing {

Simulation::Simulation(std::uint64_t seed, Totals& totals, std::string traced)
    : totals_(totals), traced_(std::move(traced)), random_(seed), machine_(seed) {
  traits_ = {.siblings = pick(3) == 0,
             .elsewhere = pick(2) == 0,
             .clock_jumps = pick(3) == 0,
             .small_journal = pick(4) == 0};
  // Of what was evicted nothing tells a clock that was set back.
  traits_.few_files = seed % 4 == 0 && !traits_.clock_jumps;
  if (traits_.clock_jumps) oracle_.clock_may_go_back();
  if (traits_.few_files) oracle_.entries_are_evicted();
  oracle_.rows_are_taken([this](const std::string& key) {
    const EntryPtr row = machine_.store->row("test", {"d", key});
    return row ? row->version : Version{};
  });
  machine_.store->set_fault(
      [this](const std::string& operation) { return store_fault(operation); });
  trace_everything();
  trace({}, std::string(traits_.siblings ? "siblings " : "") +
                (traits_.elsewhere ? "elsewhere " : "") +
                (traits_.clock_jumps ? "clock jumps " : "") +
                (traits_.small_journal ? "small journal " : "") +
                (traits_.few_files ? "few files" : ""));
  for (std::size_t i = 0; i < kProcesses; ++i) processes_.push_back({.number = i});
  open(processes_[0]);
}

Simulation::~Simulation() {
  for (Process& process : processes_) {
    if (process.lives()) machine_.kill(process);
  }
}

std::optional<std::string> Simulation::run(int steps) {
  for (step_ = 0; step_ < steps && !broken_; ++step_) one_step();
  if (!broken_) settle();
  if (!broken_) return std::nullopt;
  return "step " + std::to_string(step_) + ": " + *broken_;
}

void Simulation::one_step() {
  ++totals_.operations;
  end_what_is_over();
  Process& process = someone();
  switch (pick(26)) {
    case 0:
    case 1:
    case 2:
    case 3:
      put(process, key());
      return;
    case 4:
    case 5:
    case 6:
      return read(process, key(), pick(2) == 0 ? Reach::local : Reach::source);
    case 7:
      return put_async(process);
    case 8:
      return read_async(process);
    case 9:
      return erase(process);
    case 10:
      if (pick(4) != 0) return invalidate(process, key());
      erase_matching(process);
      return;
    case 11:
      return refresh(process, key());
    case 12:
    case 13:
      return machine_.executor->run_for(std::chrono::milliseconds(pick(200)));
    case 14:
      return machine_.executor->run_for(std::chrono::seconds(pick(100)));
    case 15:
      return change_store();
    case 16:
      return flush(process);
    case 17:
      return pick(3) == 0 ? crash(process) : machine_.executor->run_ready();
    case 18:
      return pick(4) == 0 ? restart(process) : machine_.executor->run_ready();
    case 19:
      return pick(2) == 0 ? begin_disk_spell() : machine_.executor->run_ready();
    case 20:
      return pick(2) == 0 ? put_many(process) : read_many(process);
    case 21:
      return compare_and_set(process);
    case 22:
      return put_in_store(process);
    default:
      return something_special(process);
  }
}

void Simulation::something_special(Process& process) {
  switch (pick(8)) {
    case 0:
    case 1:
      if (traits_.elsewhere) return write_elsewhere("a:" + std::to_string(pick(9)));
      break;
    case 2:
      if (traits_.elsewhere) return hold_back_erase(process);
      break;
    case 3:
      if (traits_.siblings) return another_process();
      break;
    case 4:
      if (traits_.clock_jumps) return jump_clock();
      break;
    case 5:
      if (traits_.clock_jumps) return invalidate_what_a_clock_ahead_fetched(process);
      break;
    case 6:
      if (traits_.small_journal) return fill_journal(process);
      break;
    default:
      return lose_row(process);
  }
  machine_.executor->run_ready();
}

void Simulation::end_what_is_over() {
  if (erases_held_ && step_ >= erases_held_until_) erases_held_ = false;
  if (disk_mode_ != DiskMode::works && step_ >= disk_fails_until_) {
    end_disk_spell();
    if (pick(3) == 0) expect_recovery();
  }
  if (clock_ahead_ && step_ >= clock_ahead_until_) set_clock_right();
}

RefreshAnswer<std::string> Simulation::fetch(RefreshContext& context) {
  const std::string key = context.key();
  if (pick(4) == 0) machine_.executor->sleep_for(std::chrono::milliseconds(pick(2'000)));
  if (nothing_new_ && context.previous()) return NotModified{};
  if (key.starts_with("c:") && context.previous() && context.previous()->document) {
    return *context.previous()->document;
  }
  switch (pick(6)) {
    case 0:
      throw std::runtime_error("source is down");
    case 1:
      return NotFound{};
    case 2:
      if (context.previous()) return NotModified{};
      [[fallthrough]];
    default:
      break;
  }
  const std::string document = new_document(key);
  oracle_.attempted(key, document);
  if (disk_mode_ != DiskMode::works) oracle_.in_doubt(key);
  trace(key, "refreshed");
  return document;
}

std::string Simulation::new_document(const std::string& key) {
  return "{\"key\":\"" + key + "\",\"n\":" + std::to_string(++counter_) + ",\"pad\":\"" +
         std::string(pick(traits_.small_journal ? 3'000 : 400), 'x') + "\"}";
}

Process& Simulation::someone() {
  Process& one = processes_[pick(kProcesses)];
  if (one.lives()) return one;
  return processes_[kProcesses - 1 - one.number];
}

// --- What is told ---

void Simulation::trace_everything() {
  if (traced_.empty()) return;
  const std::string file = "3A" + traced_.substr(traced_.find(':') + 1) + ".json";
  machine_.disk.on_operation([this, file](std::uint64_t, const std::string& what) {
    if (what.find(file) != std::string::npos || what.find("sync_all") != std::string::npos)
      trace({}, what);
  });
  machine_.store->set_refusal([this](const StoreWrite& write) -> std::optional<std::string> {
    trace(write.id.key,
          std::string(write.kind == StoreWrite::Kind::clocks ? "clocks" : "content") + " sent, " +
              write.entry.version.to_string() +
              (write.not_newer_than ? " over " + write.not_newer_than->to_string() : ""));
    return std::nullopt;
  });
}

void Simulation::trace(const std::string& k, const std::string& what) const {
  if (traced_.empty() || (!k.empty() && k != traced_)) return;
  const auto now = machine_.clock->steady_now().time_since_epoch() - 1000h;
  std::cout << "  step " << step_ << ", "
            << std::chrono::floor<std::chrono::milliseconds>(now).count() << " ms " << k << ": "
            << what << "\n";
}

void Simulation::fail(const std::string& what) {
  if (!broken_) broken_ = what;
}

}  // namespace tiercache::testing
