/* Expands messages.def for its rows only: define RECORD or MSG before. */
#ifndef RECORD
#define RECORD(name)
#endif
#ifndef MSG
#define MSG(name, number, from, to, doc)
#endif
#define END_RECORD(name)
#define END_MSG(name)
#define U8(field)
#define U16(field)
#define U32(field)
#define U64(field)
#define SPAN(field, max)
#define LIST(field, record, max)
#include "common/ipc/messages.def"
#include "common/ipc/messages_undef.h"
