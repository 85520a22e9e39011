#include "supervisor/keys.h"

#include "supervisor/child.h"

#define TO(role) (1u << ROLE_##role)

const struct key_file key_files[KEY_FILES] = {
	{"vendor_root", "vendor.root", 32, TO(GATE)},
	{"subject", "subject.key", 32, TO(GATE) | TO(KEEPER)},
	{"courier_public", "courier.pub", 32, TO(GATE) | TO(COURIER)},
	{"courier_secret", "courier.key", 32, TO(COURIER)},
	{"plan_public", "signing.pub", 32, TO(GATE) | TO(COURIER) | TO(KEEPER) | TO(STEWARD)},
	{"signing_secret", "signing.key", 64, TO(KEEPER)},
};
