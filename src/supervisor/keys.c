#include "supervisor/keys.h"

#include "supervisor/child.h"

#define TO(role) (1u << ROLE_##role)

const struct key_grant key_grants[KEY_NAMES] = {
	[KEY_VENDOR_ROOT] = {"vendor_root", TO(GATE)},
	[KEY_SUBJECT] = {"subject", TO(GATE) | TO(KEEPER)},
	[KEY_COURIER_PUBLIC] = {"courier_public", TO(GATE) | TO(COURIER)},
	[KEY_COURIER_SECRET] = {"courier_secret", TO(COURIER)},
	[KEY_SIGNING_PUBLIC] = {"plan_public", TO(GATE) | TO(COURIER) | TO(KEEPER) | TO(STEWARD)},
	[KEY_SIGNING_SECRET] = {"signing_secret", TO(KEEPER)},
};
