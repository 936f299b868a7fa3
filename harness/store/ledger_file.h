// ledger.jsonl, one request per line (files.md "Ledger"). The loader of a named file is declared in run_dir.h.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/ledger.h"

namespace hopcheck::store {

inline constexpr size_t kMaxLedgerBytes = size_t{4} << 30;

std::string ledger_to_jsonl(const std::vector<LedgerEntry>& entries);
// JSON lines or traceparents; `name` stands before the line number in errors.
Result<std::vector<LedgerEntry>> ledger_from_text(std::string_view text, const std::string& name);

}  // namespace hopcheck::store
