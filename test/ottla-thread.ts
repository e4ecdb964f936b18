/** The program of threads as tests run it: built beside them. */

import '../cli/thread.ts'
