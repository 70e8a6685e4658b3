// Ctrl-C: the first asks the program to stop and tell what it has, the second ends it at once.
#pragma once

namespace sekimori::sys {

// The exit code of a program that was interrupted, as shells have it (128 + SIGINT).
constexpr int kInterruptedExit = 130;

// From now on SIGINT and SIGTERM only set a flag; a second one exits with kInterruptedExit.
void catch_interrupts();

// True once the user asked to stop.
bool interrupted();

// For work that goes on until Ctrl-C: to stop was its proper end, and what follows is not interrupted. False
// if nobody asked.
bool end_interrupt();

// From now on a write to a connection that the other side has closed is an error, and not the end of this
// program. For libraries that write to sockets themselves.
void survive_broken_pipes();

}  // namespace sekimori::sys
