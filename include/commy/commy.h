// Commy: an embedded key-value store in one memory-mapped file that many processes read and write
// at once. This is the one header to include.
#pragma once

#include "commy/info.h"
#include "commy/key_codec.h"
#include "commy/namespace.h"
#include "commy/options.h"
#include "commy/recover.h"
#include "commy/snapshot.h"
#include "commy/store.h"
#include "commy/transaction.h"
