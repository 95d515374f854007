#include "upgrade/state/machine.h"

namespace tiercache::upgrade {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

RefreshAnswer<std::string> fetch(RefreshContext& context) {
  if (context.previous()) return NotModified{R"({"etag":"2"})"};
  return Refreshed<std::string>{
      .value = R"("fetched")", .metadata = R"({"etag":"1"})", .fresh_for = {}};
}

DatasetOptions<JsonText> dataset_options(bool keyed) {
  DatasetOptions<JsonText> options{.keyed = keyed,
                                   .fresh_for = hours(24),
                                   .stale_for = 30 * ttl::kDay,
                                   .hydrate = Hydrate::none()};
  options.refresh = fetch;
  if (!keyed) options.rich_refresh = fetch;
  return options;
}

CacheOptions cache_options(const Place& place) {
  CacheOptions options;
  options.project = kProject;
  options.directory = place.directory();
  options.files.sync_every = milliseconds(100);
  options.journal.segment_bytes = 16 << 10;  // several, of so few writes
  options.store_calls.retry_first = milliseconds(20);
  options.store_calls.retry_cap = milliseconds(200);
  options.store_calls.poll_every = milliseconds(50);
  return options;
}

}  // namespace

Machine::Machine(const Place& place, const Setup& setup)
    : calendar_(std::make_shared<Calendar>(kBeginning + setup.age)) {
  std::filesystem::create_directories(std::filesystem::path(place.store()).parent_path());
  sqlite::Options file;
  file.path = place.store();
  file.clock = calendar_;
  store_ = sqlite::open(file);
  gate_ = std::make_shared<Gate>(store_, setup.refused);
  if (setup.store == StoreIs::away) gate_->close();
  CacheOptions options = cache_options(place);
  options.store = gate_;
  options.ports.clock = calendar_;
  cache_ = std::make_unique<Cache>(std::move(options));
  documents_ = cache_->dataset("documents", dataset_options(true));
  single_ = cache_->dataset("single", dataset_options(false));
}

}  // namespace tiercache::upgrade
