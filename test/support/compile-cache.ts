/**
 * For processes that tests start, by `--import`: most of what a start costs is compiling the same modules again. Kept in
 * `node_modules`, which belongs to whoever installed it. Not for the product: a cache that somebody else can write is
 * code that somebody else can write.
 */
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';

enableCompileCache(join(import.meta.dirname, '../../node_modules/.cache/hallpass-tests'));
