// `hopcheck-demo fetch URL`: what curl is for in a container that has no curl. A plain GET; the body goes to stdout.
#pragma once

namespace hopcheck::demo {

// argv[0] is "fetch". Exit codes: 0 an answer below 400, 1 another or none (said on stderr), 4 usage.
int fetch_main(int argc, char** argv);

}  // namespace hopcheck::demo
