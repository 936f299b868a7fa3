# Writes OUT, a header that says which commit of ROOT is being built; left alone when it says so already, so that only
# a new commit, or a tree that turns dirty or clean, compiles anything. Run by every build (harness/CMakeLists.txt).
# A tree without git, or one that git refuses, is "unknown".
execute_process(COMMAND git -C ${ROOT} --no-optional-locks rev-parse --short=12 HEAD
  OUTPUT_VARIABLE commit RESULT_VARIABLE failed OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(failed)
  set(commit "unknown")
else()
  execute_process(COMMAND git -C ${ROOT} --no-optional-locks status --porcelain
    OUTPUT_VARIABLE changes OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(changes)
    set(commit "${commit}-dirty")
  endif()
endif()
set(text "#define HOPCHECK_COMMIT \"${commit}\"\n")
set(old "")
if(EXISTS ${OUT})
  file(READ ${OUT} old)
endif()
if(NOT old STREQUAL text)
  file(WRITE ${OUT} "${text}")
endif()
