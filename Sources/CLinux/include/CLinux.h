#pragma once

#include "linux_calls.h"
#include "network_namespaces.h"
#include "privileges.h"
#include "responder_process.h"
#include "sandbox.h"
#include "tcp_peers.h"
