/* Forgets the field and row macros of one expansion of messages.def. */
#undef RECORD
#undef END_RECORD
#undef MSG
#undef END_MSG
#undef U8
#undef U16
#undef U32
#undef U64
#undef SPAN
#undef LIST
