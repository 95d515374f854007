#include "transfer.h"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace tiercache::http {

using std::chrono::milliseconds;

namespace {

// As many as a cache calls at once by default.
constexpr std::size_t kMostIdle = 8;
// How often a transfer looks whether it was cancelled.
constexpr milliseconds kLook{50};
constexpr std::size_t kMostHeaderBytes = 256 << 10;
// How much of an answer that is not a document is read, so that its connection can be used again.
constexpr std::size_t kMostIgnoredBytes = 64 << 10;

struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using HeaderList = std::unique_ptr<curl_slist, FreeList>;

HeaderList make_list(const std::vector<std::string>& lines) {
  HeaderList list;
  for (const std::string& line : lines) {
    curl_slist* longer = curl_slist_append(list.get(), line.c_str());
    if (!longer) throw std::bad_alloc();
    (void)list.release();
    list.reset(longer);
  }
  return list;
}

// A short name from an answer, for a message. Characters that no token has are left out.
std::string as_token(std::string text) {
  std::erase_if(text, [](unsigned char c) {
    return std::isalnum(c) == 0 &&
           std::string_view("-_.+, ").find(static_cast<char>(c)) == std::string_view::npos;
  });
  return text.substr(0, 40);
}

bool is_document(long status) {
  return status == 200 || status == 203;
}

// libcurl must be set up once per process, before its first handle is made. It is never torn down.
void set_up_curl() {
  static const CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (code != CURLE_OK) throw std::runtime_error("libcurl cannot be set up");
}

}  // namespace

// An easy handle in a multi handle of its own, which keeps its connections. It is driven in steps,
// so that it can end at once; `curl_easy_perform` would look only once a second whether it should.
class Transfers::Handle {
 public:
  Handle() : easy_(curl_easy_init()), multi_(curl_multi_init()) {
    if (!easy_ || !multi_) {
      release();
      throw std::runtime_error("libcurl has no handle");
    }
  }
  ~Handle() { release(); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  Reply run(const Request& request, const Clock& clock);

 private:
  void release() {
    curl_easy_cleanup(easy_);
    curl_multi_cleanup(multi_);
  }
  void set_up(const Request& request, curl_slist* headers);
  void set_up_proxy(const Request& request);
  CURLcode perform(const Request& request, const Clock& clock);
  std::optional<CURLcode> ended();
  std::size_t take_body(const char* data, std::size_t size);
  std::size_t take_header(std::size_t size);
  std::string header(const char* name);
  std::string why(CURLcode code, const Request& request);

  static std::size_t on_body(char* data, std::size_t one, std::size_t size, void* self) {
    return static_cast<Handle*>(self)->take_body(data, one * size);
  }
  static std::size_t on_header(char*, std::size_t one, std::size_t size, void* self) {
    return static_cast<Handle*>(self)->take_header(one * size);
  }

  CURL* easy_;
  CURLM* multi_;
  // The request under way.
  std::array<char, CURL_ERROR_SIZE> error_{};
  std::string body_;
  std::size_t max_bytes_ = 0;
  std::size_t header_bytes_ = 0;
  std::size_t ignored_bytes_ = 0;
  const char* stopped_ = nullptr;  // why we ended it ourselves, if we did
  bool enough_ = false;            // true once the rest of the answer is not wanted
};

void Transfers::Handle::set_up(const Request& request, curl_slist* headers) {
  curl_easy_reset(easy_);
  error_.fill('\0');
  body_.clear();
  max_bytes_ = request.max_bytes;
  header_bytes_ = ignored_bytes_ = 0;
  stopped_ = nullptr;
  enough_ = false;
  curl_easy_setopt(easy_, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(easy_, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy_, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy_, CURLOPT_NOSIGNAL, 1L);
  // A look-up that hangs is left behind, and not waited for.
  curl_easy_setopt(easy_, CURLOPT_QUICK_EXIT, 1L);
  curl_easy_setopt(easy_, CURLOPT_CONNECTTIMEOUT_MS,
                   static_cast<long>(request.connect_timeout.count()));
  curl_easy_setopt(easy_, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  curl_easy_setopt(easy_, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(easy_, CURLOPT_SSL_VERIFYHOST, 2L);
  if (!request.ca_file.empty()) {
    curl_easy_setopt(easy_, CURLOPT_CAINFO, request.ca_file.c_str());
    curl_easy_setopt(easy_, CURLOPT_CAPATH, nullptr);
  }
  curl_easy_setopt(easy_, CURLOPT_ACCEPT_ENCODING, "");
  curl_easy_setopt(easy_, CURLOPT_USERAGENT, "tiercache/" TIERCACHE_VERSION);
  curl_easy_setopt(easy_, CURLOPT_HTTPHEADER, headers);
  if (request.user_info) {
    curl_easy_setopt(easy_, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
    curl_easy_setopt(easy_, CURLOPT_USERPWD, request.user_info->c_str());
  }
  set_up_proxy(request);
  curl_easy_setopt(easy_, CURLOPT_ERRORBUFFER, error_.data());
  curl_easy_setopt(easy_, CURLOPT_WRITEFUNCTION, &Handle::on_body);
  curl_easy_setopt(easy_, CURLOPT_WRITEDATA, this);
  curl_easy_setopt(easy_, CURLOPT_HEADERFUNCTION, &Handle::on_header);
  curl_easy_setopt(easy_, CURLOPT_HEADERDATA, this);
}

void Transfers::Handle::set_up_proxy(const Request& request) {
  curl_easy_setopt(easy_, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  // Headers for the source are not sent to the proxy.
  curl_easy_setopt(easy_, CURLOPT_HEADEROPT, static_cast<long>(CURLHEADER_SEPARATE));
  if (!request.environment_proxy) curl_easy_setopt(easy_, CURLOPT_PROXY, request.proxy.c_str());
}

// Takes the body part by part; libcurl has decompressed it already.
std::size_t Transfers::Handle::take_body(const char* data, std::size_t size) {
  long status = 0;
  curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
  if (!is_document(status)) {
    ignored_bytes_ += size;
    enough_ = ignored_bytes_ > kMostIgnoredBytes;
    return enough_ ? 0 : size;
  }
  if (size > max_bytes_ - body_.size()) {
    stopped_ = "the answer is larger than max_bytes";
    return 0;
  }
  body_.append(data, size);
  return size;
}

std::size_t Transfers::Handle::take_header(std::size_t size) {
  header_bytes_ += size;
  if (header_bytes_ <= kMostHeaderBytes) return size;
  stopped_ = "the answer's headers are larger than 256 KiB";
  return 0;
}

std::string Transfers::Handle::header(const char* name) {
  curl_header* found = nullptr;
  const auto code = curl_easy_header(easy_, name, 0, CURLH_HEADER, -1, &found);
  return code == CURLHE_OK ? found->value : "";
}

std::optional<CURLcode> Transfers::Handle::ended() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg == CURLMSG_DONE) return message->data.result;
  }
  return std::nullopt;
}

CURLcode Transfers::Handle::perform(const Request& request, const Clock& clock) {
  while (true) {
    int running = 0;
    if (curl_multi_perform(multi_, &running) != CURLM_OK) return CURLE_FAILED_INIT;
    if (const auto code = ended()) return *code;
    const auto left =
        std::chrono::duration_cast<milliseconds>(request.deadline - clock.steady_now());
    if (request.cancelled()) {
      stopped_ = "the refresh was cancelled";
    } else if (left.count() <= 0) {
      stopped_ = "no complete answer by the deadline";
    }
    if (stopped_) return CURLE_ABORTED_BY_CALLBACK;
    curl_multi_poll(multi_, nullptr, 0, static_cast<int>(std::min(left, kLook).count()), nullptr);
  }
}

std::string Transfers::Handle::why(CURLcode code, const Request& request) {
  if (stopped_) return stopped_;
  if (code == CURLE_BAD_CONTENT_ENCODING) {
    return "the answer's Content-Encoding \"" + as_token(header("Content-Encoding")) +
           "\" cannot be undone: libcurl here does not know it, or the body is not packed so";
  }
  if (code == CURLE_OPERATION_TIMEDOUT) {
    return "not connected within " + std::to_string(request.connect_timeout.count()) + " ms";
  }
  const std::string text = curl_easy_strerror(code);
  return error_.front() == '\0' ? text : text + " (" + error_.data() + ")";
}

Reply Transfers::Handle::run(const Request& request, const Clock& clock) {
  const HeaderList headers = make_list(request.headers);
  set_up(request, headers.get());
  if (curl_multi_add_handle(multi_, easy_) != CURLM_OK) {
    throw std::runtime_error("libcurl took no request");
  }
  const CURLcode code = perform(request, clock);
  Reply reply;
  curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &reply.status);
  char* redirect = nullptr;
  curl_easy_getinfo(easy_, CURLINFO_REDIRECT_URL, &redirect);
  if (redirect) reply.redirect = redirect;
  reply.etag = header("ETag");
  reply.last_modified = header("Last-Modified");
  reply.retry_after = header("Retry-After");
  reply.date = header("Date");
  curl_multi_remove_handle(multi_, easy_);
  curl_easy_setopt(easy_, CURLOPT_HTTPHEADER, nullptr);
  // It does not matter how an error page is packed.
  if (code == CURLE_BAD_CONTENT_ENCODING && !is_document(reply.status)) enough_ = true;
  if (code != CURLE_OK && !enough_) throw std::runtime_error(why(code, request));
  reply.body = std::move(body_);
  return reply;
}

// --- The pool ---

Transfers::Transfers(std::shared_ptr<Clock> clock) : clock_(std::move(clock)) {
  set_up_curl();
}

Transfers::~Transfers() = default;

// A handle whose request failed is not used again.
Reply Transfers::run(const Request& request) {
  auto handle = take();
  Reply reply = handle->run(request, *clock_);
  put_back(std::move(handle));
  return reply;
}

std::unique_ptr<Transfers::Handle> Transfers::take() {
  {
    std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      auto handle = std::move(idle_.back());
      idle_.pop_back();
      return handle;
    }
  }
  return std::make_unique<Handle>();
}

void Transfers::put_back(std::unique_ptr<Handle> handle) {
  std::lock_guard lock(mutex_);
  if (idle_.size() < kMostIdle) idle_.push_back(std::move(handle));
}

}  // namespace tiercache::http
