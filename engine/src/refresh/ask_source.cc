#include "refresh/ask_source.h"

#include <exception>

namespace tiercache {

namespace {

constexpr std::size_t kMaxReasonBytes = 300;

bool continues_character(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0) == 0x80;
}

}  // namespace

Answer ask_source(const std::function<RefreshResult(RefreshContext&)>& call,
                  RefreshContext& context) {
  Answer answer;
  try {
    answer.result = call(context);
  } catch (const RetryAfter& later) {
    answer.why = shortened(later.what());
    answer.source_delay = later.delay();
  } catch (const std::exception& error) {
    answer.why = shortened(error.what());
  } catch (...) {
    answer.why = "the callback threw something that is no std::exception";
  }
  return answer;
}

std::string shortened(std::string text) {
  if (text.size() <= kMaxReasonBytes) return text;
  std::size_t end = kMaxReasonBytes;
  while (end > 0 && continues_character(text[end])) --end;
  text.resize(end);
  return text + "…";
}

}  // namespace tiercache
