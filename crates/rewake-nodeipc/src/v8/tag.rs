//! The format's tags, by V8's names (`value-serializer.cc`). Holds no behaviour.

pub(super) const VERSION: u8 = 0xff;
/// What V8 of Node 18 to 24 writes, and the newest that Node 18 reads.
pub(super) const WRITTEN_VERSION: u8 = 15;
/// Older ones differ in how they write objects; no Node that we support writes them.
pub(super) const OLDEST_VERSION: u32 = 13;

pub(super) const PADDING: u8 = 0;
pub(super) const VERIFY_OBJECT_COUNT: u8 = b'?';
pub(super) const THE_HOLE: u8 = b'-';
pub(super) const UNDEFINED: u8 = b'_';
pub(super) const NULL: u8 = b'0';
pub(super) const TRUE: u8 = b'T';
pub(super) const FALSE: u8 = b'F';
pub(super) const INT32: u8 = b'I';
pub(super) const UINT32: u8 = b'U';
pub(super) const DOUBLE: u8 = b'N';
pub(super) const BIG_INT: u8 = b'Z';
pub(super) const UTF8_STRING: u8 = b'S';
pub(super) const ONE_BYTE_STRING: u8 = b'"';
pub(super) const TWO_BYTE_STRING: u8 = b'c';
pub(super) const OBJECT_REFERENCE: u8 = b'^';
pub(super) const BEGIN_OBJECT: u8 = b'o';
pub(super) const END_OBJECT: u8 = b'{';
pub(super) const BEGIN_SPARSE_ARRAY: u8 = b'a';
pub(super) const END_SPARSE_ARRAY: u8 = b'@';
pub(super) const BEGIN_DENSE_ARRAY: u8 = b'A';
pub(super) const END_DENSE_ARRAY: u8 = b'$';
pub(super) const DATE: u8 = b'D';
pub(super) const TRUE_OBJECT: u8 = b'y';
pub(super) const FALSE_OBJECT: u8 = b'x';
pub(super) const NUMBER_OBJECT: u8 = b'n';
pub(super) const BIG_INT_OBJECT: u8 = b'z';
pub(super) const STRING_OBJECT: u8 = b's';
pub(super) const REG_EXP: u8 = b'R';
pub(super) const BEGIN_MAP: u8 = b';';
pub(super) const END_MAP: u8 = b':';
pub(super) const BEGIN_SET: u8 = b'\'';
pub(super) const END_SET: u8 = b',';
pub(super) const ARRAY_BUFFER: u8 = b'B';
pub(super) const RESIZABLE_ARRAY_BUFFER: u8 = b'~';
pub(super) const HOST_OBJECT: u8 = b'\\';
pub(super) const ERROR: u8 = b'r';

/// Parts of an error.
pub(super) const ERROR_MESSAGE: u8 = b'm';
pub(super) const ERROR_CAUSE: u8 = b'c';
pub(super) const ERROR_STACK: u8 = b's';
pub(super) const ERROR_END: u8 = b'.';
/// `EvalError`, `RangeError`, `ReferenceError`, `SyntaxError`, `TypeError`, `URIError`.
pub(super) const ERROR_KINDS: [u8; 6] = *b"ERFSTU";

/// Node's own tags behind [`HOST_OBJECT`] on a channel.
pub(super) const HOST_VIEW: u32 = 0;
pub(super) const HOST_PLAIN: u32 = 1;
