// What HTTP clients and proxies need to cache a document themselves: how old it is, how long it may
// be kept, and by which tag to ask whether it has changed.
#pragma once

#include <httplib.h>

#include <string>

#include "refresh_service/config.h"
#include "tiercache/tiercache.h"

namespace refresh_service {

// The header Cache-Control, which says in the words of RFC 9111 and RFC 5861 what the dataset
// promises. Clients subtract `Age` themselves.
std::string cache_control_of(const DatasetConfig& config);

// Says where the document came from and how old it is.
void set_headers(const tiercache::Snapshot<tiercache::JsonText>& snapshot,
                 const std::string& cache_control, httplib::Response& response);

// Whether If-None-Match names the document that the client would get.
bool client_has_it(const httplib::Request& request,
                   const tiercache::Snapshot<tiercache::JsonText>& snapshot);

}  // namespace refresh_service
