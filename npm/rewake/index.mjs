// The ES module entry: hands on what the CommonJS entry has.

import rewake from './index.cjs'

export const { connect, embed, RewakeError } = rewake
