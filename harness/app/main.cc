// hopcheck: the command line. Wires verbs, signals and exit codes; nothing else happens here.
#include "app/cli.h"

int main(int argc, char** argv) { return hopcheck::app::run_cli(argc, argv); }
