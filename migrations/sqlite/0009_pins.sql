CREATE TABLE `pins` (
	`space` text NOT NULL,
	`name` text NOT NULL,
	`id` text NOT NULL,
	`pinned_at` integer NOT NULL,
	PRIMARY KEY(`space`, `name`)
);
