// What a program gives up before it looks at the first request, so that foreign code in it has
// little to work with: new privileges, core dumps, being traced, files but those that connecting
// needs, writing to any file, starting programs, TCP but to the database's ports, and every system
// call that the service does not make. For the rest of the process's life, under any launcher. Must
// not know: what the program answers.
#pragma once

#include "lib/env.h"

namespace sandbox {

// Call it once, while the process has one thread; what is to be written to must be open by then.
// TODO_SANDBOX says whether. What this kernel does not have is left out, with a line in the log of
// `program`. One that starts programs keeps its system calls, what it may read, and temporary
// files. Programs that are built with sanitizers keep their files and calls: reports need them.
void enter(const env::Settings& settings, const char* program, bool starts_programs = false);

// Has a file that may be read been replaced by another one of its name? A process that cannot
// connect and sees this should end: the next one may read the new file.
bool is_outdated();

}  // namespace sandbox
