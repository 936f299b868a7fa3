#include "store/source_commit.h"

#include <hopcheck_source_commit.h>

namespace hopcheck::store {

std::string source_commit() { return HOPCHECK_COMMIT; }

}  // namespace hopcheck::store
