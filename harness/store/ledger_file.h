// ledger.jsonl, one request per line (files.md "Ledger"). The loader is declared in run_dir.h.
#pragma once

#include <string>
#include <vector>

#include "model/ledger.h"

namespace hopcheck::store {

std::string ledger_to_jsonl(const std::vector<LedgerEntry>& entries);

}  // namespace hopcheck::store
