#include <simdjson.h>

#include <atomic>
#include <utility>

#include "tiercache/refresh.h"

namespace tiercache {

namespace detail {
struct CancelFlag {
  std::atomic<bool> cancelled{false};
};
}  // namespace detail

RefreshContext::RefreshContext() : flag_(std::make_shared<detail::CancelFlag>()) {}

RefreshContext::RefreshContext(EntryId id, EntryPtr previous, bool rich, SteadyTime soft_deadline,
                               SteadyTime hard_deadline)
    : id_(std::move(id)),
      previous_(std::move(previous)),
      rich_(rich),
      soft_deadline_(soft_deadline),
      hard_deadline_(hard_deadline),
      flag_(std::make_shared<detail::CancelFlag>()) {}

std::string RefreshContext::previous_metadata(std::string_view name) const {
  if (!previous_) return {};
  simdjson::dom::parser parser;
  simdjson::dom::object members;
  simdjson::dom::element member;
  if (parser.parse(previous_->metadata).get(members) != simdjson::SUCCESS ||
      members.at_key(name).get(member) != simdjson::SUCCESS) {
    return {};
  }
  std::string_view text;
  if (member.get(text) == simdjson::SUCCESS) return std::string(text);
  return simdjson::minify(member);
}

RefreshContext RefreshContext::rich_after(EntryPtr previous) const {
  RefreshContext rich = *this;
  rich.previous_ = std::move(previous);
  rich.rich_ = true;
  return rich;
}

bool RefreshContext::cancelled() const {
  return flag_->cancelled.load(std::memory_order_acquire);
}

void RefreshContext::cancel() const {
  flag_->cancelled.store(true, std::memory_order_release);
}

}  // namespace tiercache
