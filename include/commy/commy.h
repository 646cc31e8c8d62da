// Commy: an embedded key-value store in one memory-mapped file that many processes read and write
// at once. This is the one header to include.
#pragma once

#include "commy/codec.h"
#include "commy/info.h"
#include "commy/key_codec.h"
#include "commy/loan.h"
#include "commy/namespace.h"
#include "commy/options.h"
#include "commy/recover.h"
#include "commy/shared_box.h"
#include "commy/shared_counter.h"
#include "commy/shared_map.h"
#include "commy/shared_options.h"
#include "commy/shared_set.h"
#include "commy/shared_string.h"
#include "commy/shared_vec.h"
#include "commy/snapshot.h"
#include "commy/store.h"
#include "commy/struct.h"
#include "commy/transaction.h"
#include "commy/typed_view.h"
