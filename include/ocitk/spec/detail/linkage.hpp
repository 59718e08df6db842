#ifndef OCITK_SPEC_DETAIL_LINKAGE_HPP
#define OCITK_SPEC_DETAIL_LINKAGE_HPP

/// Between text and structs stands a JSON parser, with code for every field: seconds of compile time for each file that
/// reads or writes a document. A program of many files defines OCITK_JSON_ELSEWHERE for all of them, and in one of them
/// OCITK_JSON_HERE before it includes read.hpp and write.hpp: that one has the functions, the others call them. Without
/// either, every file has its own.
#if defined(OCITK_JSON_HERE) || !defined(OCITK_JSON_ELSEWHERE)
#define OCITK_JSON_DEFINED 1
#else
#define OCITK_JSON_DEFINED 0
#endif

#ifdef OCITK_JSON_ELSEWHERE
#define OCITK_JSON_FUNCTION
#else
#define OCITK_JSON_FUNCTION inline
#endif

#endif
